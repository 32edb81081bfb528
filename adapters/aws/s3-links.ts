import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { attachment, LINK_SECONDS, type FileLinks } from '../../core/ports/file-links.ts';
import type { S3StoreOptions } from './s3-store.ts';

/**
 * Presigned GETs. They are made without a call to AWS, and allow what the function's own role allows: they end with its
 * session, if that is over sooner.
 */
export function createS3Links({ client, bucket, prefix = '' }: Omit<S3StoreOptions, 'puts'>): FileLinks {
  return {
    link: (key) => {
      const command = new GetObjectCommand({
        Bucket: bucket,
        Key: prefix + key,
        ResponseContentDisposition: attachment(key),
      });
      return getSignedUrl(client, command, { expiresIn: LINK_SECONDS });
    },
  };
}
