import { KeyInUseError, KeyReusedError, RefusedError, UnknownBatchError } from '../model/errors.ts';
import { CLAIM_KEPT_MS, CLAIM_LEASE_MS, PLANNING_STALE_MS } from '../model/limits.ts';
import type { ClaimRecord } from '../model/records.ts';
import { newId, newToken } from './ids.ts';
import type { Service } from './service.ts';

/** How often a claim is tried again when others change it at the same time. */
const MAX_TRIES = 20;

/** A request that may be sent more than once, and is to start one batch. */
export interface KeyedRequest {
  /** SHA-256 of its idempotency key, in hex. */
  key: string;
  /** SHA-256 of all that makes it this request and no other, in hex. */
  request: string;
}

/**
 * Starts a batch for a request at most once, however often and from wherever it is sent.
 *
 *     claim { request, batchId, leaseUntil }      one conditional write: of twins one goes on, the others hear 409
 *       │  died here: nothing but perhaps a manifest that nobody reads. Twins hear 409 until the lease is over; then one
 *       │  takes the claim over and starts the batch under the same id.
 *     createBatch, on condition that the id is free
 *       │  died here: every twin finds the batch and is answered with it. The sweeper brings it on.
 *     shards, `running`, tickets
 *       │  died here: the same.
 *     answer
 *       │  lost: the same.
 *
 * The batch's record is what says that the request was carried out; the claim says under which id to look for it, so
 * that there can be no second batch. A request that is refused leaves its key as good as new. A batch that was deleted
 * is marked in its claim, and not started again.
 *
 * @param start starts the batch under the claim's id, or throws a `RefusedError` and has done nothing
 * @returns the batch's id
 * @throws KeyReusedError, KeyInUseError; UnknownBatchError if the batch was deleted; what `start` throws
 */
export async function startOnce(
  service: Service,
  keyed: KeyedRequest,
  start: (claim: ClaimRecord) => Promise<unknown>,
): Promise<string> {
  const claim = await takeClaim(service, keyed);
  if (typeof claim === 'string') return claim;
  try {
    await start(claim);
    return claim.batchId;
  } catch (error) {
    const { rev, request, ...rest } = claim;
    // After any other error the batch may be there, or on its way: the key stays with this request and this id.
    const kept = error instanceof RefusedError ? {} : { request };
    await service.ledger.putClaim({ ...rest, ...kept, rev: rev + 1, leaseUntil: 0 }).catch(() => false);
    throw error;
  }
}

/** The caller's own claim, or the id of the batch that was started for this request before. */
async function takeClaim(service: Service, keyed: KeyedRequest): Promise<ClaimRecord | string> {
  const { ledger, clock } = service;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const now = clock.now();
    const stored = await ledger.getClaim(keyed.key);
    const isLive = stored?.request !== undefined && stored.expiresAt > now;
    if (isLive) {
      if (stored.request !== keyed.request) throw new KeyReusedError();
      if (await ledger.getBatch(stored.batchId)) return stored.batchId;
      if (stored.deleted === true) throw new UnknownBatchError(stored.batchId);
      if (stored.leaseUntil > now) throw new KeyInUseError();
    }
    const claim: ClaimRecord = {
      ...keyed,
      rev: (stored?.rev ?? 0) + 1,
      // The sweeper takes the open item of an old id without a batch for one that leads nowhere. By then nothing that
      // the dead one sent can be on its way any more.
      ...(isLive && now - stored.claimedAt < PLANNING_STALE_MS - CLAIM_LEASE_MS
        ? { batchId: stored.batchId, claimedAt: stored.claimedAt, expiresAt: stored.expiresAt }
        : { batchId: newId(service), claimedAt: now, expiresAt: now + CLAIM_KEPT_MS }),
      holder: newToken(service.random),
      leaseUntil: now + CLAIM_LEASE_MS,
    };
    if (await putClaim(service, claim)) return claim;
  }
  throw new KeyInUseError();
}

/** Whether a claim is the caller's now, even if the answer to the write was lost. */
async function putClaim({ ledger }: Service, claim: ClaimRecord): Promise<boolean> {
  if (await ledger.putClaim(claim).catch(() => false)) return true;
  return (await ledger.getClaim(claim.key))?.holder === claim.holder;
}
