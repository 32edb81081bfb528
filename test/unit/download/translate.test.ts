import { describe, expect, test } from 'vitest';
import { toDownloadError, type Phase } from '../../../core/download/translate.ts';
import { DownloadError } from '../../../core/model/failure.ts';
import { ObjectStoreError } from '../../../core/ports/object-store.ts';

const withCode = (code: string) => Object.assign(new Error('GET /?key=secret'), { code });

describe('errors of an attempt', () => {
  test.each<[string, Phase, string]>([
    ['ENOTFOUND', 'lookup', 'UNKNOWN_HOST'],
    ['ENODATA', 'lookup', 'UNKNOWN_HOST'],
    ['EAI_AGAIN', 'lookup', 'DNS_FAILED'],
    ['ECONNREFUSED', 'lookup', 'DNS_FAILED'],
    ['ECONNREFUSED', 'connect', 'CONNECT_FAILED'],
    ['ECONNRESET', 'connect', 'CONNECT_FAILED'],
    ['EHOSTUNREACH', 'connect', 'CONNECT_FAILED'],
    ['CERT_HAS_EXPIRED', 'connect', 'TLS_FAILED'],
    ['CERT_REVOKED', 'connect', 'TLS_FAILED'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'connect', 'TLS_FAILED'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'connect', 'TLS_FAILED'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'connect', 'TLS_FAILED'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'connect', 'TLS_FAILED'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'connect', 'TLS_FAILED'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'connect', 'TLS_FAILED'],
    ['EPROTO', 'connect', 'TLS_FAILED'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'headers', 'TLS_FAILED'],
    ['ECONNRESET', 'headers', 'CONNECTION_LOST'],
    ['EPIPE', 'headers', 'CONNECTION_LOST'],
    ['HTTP_BAD_STATUS_LINE', 'headers', 'BAD_RESPONSE'],
    ['HTTP_HEADERS_TOO_LARGE', 'headers', 'BAD_RESPONSE'],
    ['HTTP_BAD_CHUNK', 'body', 'TRUNCATED'],
    ['ECONNRESET', 'body', 'CONNECTION_LOST'],
    ['ETIMEDOUT', 'body', 'CONNECTION_LOST'],
    ['ERR_SSL_BAD_RECORD_MAC', 'body', 'CONNECTION_LOST'],
    ['ECONNRESET', 'store', 'STORE_FAILED'],
  ])('%s in %s is %s', (code, phase, failure) => {
    const cause = withCode(code);
    const error = toDownloadError(cause, phase, 200);
    expect(error).toMatchObject({ name: 'DownloadError', code: failure, cause, httpStatus: 200 });
    expect(error.message).toContain(code);
    expect(error.message).not.toContain('secret'); // messages of others are not passed on
  });

  test('what an object store says is kept apart from what a source says', () => {
    const conflict = new ObjectStoreError('KEY_CONFLICT', 'a folder is there');
    expect(toDownloadError(conflict, 'store').code).toBe('KEY_CONFLICT');
    expect(toDownloadError(new ObjectStoreError('UNAVAILABLE', ''), 'store').code).toBe('STORE_FAILED');
    expect(toDownloadError('not even an error', 'store').code).toBe('STORE_FAILED');
  });

  test('a bug is an internal error, whatever it was busy with', () => {
    for (const phase of ['lookup', 'connect', 'headers', 'body', undefined] as const) {
      expect(toDownloadError(new TypeError('x is not a function'), phase)).toMatchObject({ code: 'INTERNAL' });
    }
    expect(toDownloadError(withCode('ERR_INVALID_ARG_TYPE'))).toMatchObject({ code: 'INTERNAL' });
  });

  test('a failure that has its code already keeps it', () => {
    const error = new DownloadError('BLOCKED_ADDRESS', 'no');
    expect(toDownloadError(error, 'connect')).toBe(error);
  });
});
