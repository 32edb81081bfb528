const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const MIB = 1024 ** 2;

/** Bytes of a list that comes in a request's body; Lambda takes requests of 6 MB, base64 and headers included. */
export const MAX_INLINE_LIST_BYTES = 4 * MIB;
/** Bytes of an uploaded list, packed and unpacked. */
export const MAX_LIST_BYTES = 1024 * MIB;
/** Entries of a list, duplicates included: what a planner of 3 GB holds. */
export const MAX_LIST_ENTRIES = 10_000_000;
/** Source hosts of a batch: the same. */
export const MAX_LIST_HOSTS = 2_000_000;
/** Bytes of a batch's manifest: the same; a list of short URLs with long keys and headers of their own has fewer entries. */
export const MAX_MANIFEST_BYTES = 2048 * MIB;
/** How long an upload link of a list can be used. */
export const LIST_UPLOAD_MS = HOUR;
/** How long an uploaded list is kept; it can hold secrets. */
export const LIST_KEPT_MS = 7 * 24 * HOUR;
/** Bytes of one URL; servers in the field refuse more. */
export const MAX_URL_BYTES = 8 * 1024;
/** Request headers of one entry, or of a batch. */
export const MAX_HEADERS = 64;
/** Bytes of all of an entry's request headers together; servers in the field refuse more. */
export const MAX_HEADER_BYTES = 16 * 1024;
/** Bytes of a key with its prefix: S3's limit. */
export const MAX_KEY_BYTES = 1024;
/** Bytes of a prefix, its slash included. */
export const MAX_PREFIX_BYTES = MAX_KEY_BYTES / 2;
/** Bytes of a key that is made of a URL: it fits behind every prefix, and so is a function of the URL alone. */
export const MAX_DEFAULT_KEY_BYTES = MAX_KEY_BYTES - MAX_PREFIX_BYTES;
/** Bytes of a segment of a key: the limit of file systems. */
export const MAX_KEY_SEGMENT_BYTES = 255;
/** Characters of a batch's name. */
export const MAX_NAME_LENGTH = 200;

/** Bytes of a response's headers: four times what Node would take, since some sites set that many cookies. */
export const MAX_RESPONSE_HEADER_BYTES = 64 * 1024;
/** After so long without an answer of a host's one address its next one is tried: RFC 8305, section 5. */
export const NEXT_ADDRESS_MS = 250;
/** Connections kept open for a later request, over all hosts: as many as one shard has under way at once. */
export const MAX_IDLE_CONNECTIONS = 64;
/** How long a connection is kept for a later request; a source has its own use for it. */
export const IDLE_CONNECTION_MS = 10 * SECOND;
/** Bodies of errors and redirects up to this size are read to their end, so that the connection can be used again. */
export const DRAIN_BYTES = 16 * 1024;
/** Such a body is waited for no longer: a connection is worth no more. */
export const DRAIN_MS = SECOND;
/** How long an answer of the resolver is used: a thousand entries of one host do not make a thousand look-ups. */
export const DNS_CACHE_MS = MINUTE;
/** Answers of the resolver kept at once, so that a batch of a million hosts does not keep a million of them. */
export const DNS_CACHE_ENTRIES = 10_000;
/** How far ahead a source may put us off: a message of the queue stays hidden for less than 12 hours. */
export const MAX_RETRY_AFTER_MS = 11 * HOUR;

/** Files of so many bytes are fetched over several connections, if their source gives ranges. */
export const SPLIT_BYTES = 256 * MIB;

/** Helpers of one file at once; their names have to fit into the record of its shard. */
export const MAX_HELPERS = 7;
/** How often a shard looks at what its helpers have done. */
export const HELPER_LOOK_MS = 2 * SECOND;
/** A helper that no worker has taken by then is not needed: others keep them all busy. */
export const HELPER_OFFER_MS = MINUTE;
/** The longest that a helper should take for its parts: well below a turn. */
export const HELPER_WORK_MS = 5 * MINUTE;
/** So many helpers in a row of whom nothing came, and an attempt asks for no more. */
export const MAX_FRUITLESS_HELPERS = 3;
/** A file whose rest would come in less time is not worth another worker's start. */
export const HELP_WORTH_MS = MINUTE;
/** Over so long the speed is measured that decides on that. */
export const HELP_MEASURE_MS = 5 * SECOND;

/** A lease's length. A worker that died is missed after it. */
export const LEASE_MS = 60 * SECOND;
/** A worker that was not renewed by so long before its lease ends stops: what it has on the wire must land before. */
export const FENCE_MS = 15 * SECOND;
/** How long a working shard's ticket stays hidden: the lease, and time for the crash to be seen first. */
export const TICKET_VISIBILITY_MS = 75 * SECOND;
/** The longest wait that a ticket itself sits out. */
export const MAX_TICKET_WAIT_MS = 15 * MINUTE;
/** A ticket received so often is replaced by a new one; queues give up tickets received 1,000 times. */
export const MAX_TICKET_RECEIVES = 900;
/** How long after a live owner's lease ends another delivery of its ticket looks again. */
export const LEASE_RETRY_MS = 5 * SECOND;

/** A checkpoint follows so soon when something settled. */
export const CHECKPOINT_MS = 5 * SECOND;
/** A checkpoint follows so soon when nothing did: it renews the lease. */
export const RENEW_MS = 20 * SECOND;
/** Outcomes of one results object; more wait for the next checkpoint. */
export const MAX_OUTCOMES_PER_CHECKPOINT = 5000;
/** So long before its deadline a turn starts nothing more, so that what is under way can still be finished. */
export const TURN_TAIL_MS = 5 * MINUTE;
/** What began so soon after its turn had all of it. */
export const TURN_HEAD_MS = MINUTE;
/** What a turn keeps of its deadline for bringing its work home. */
export const TURN_END_MS = 30 * SECOND;
/** A turn with nothing else to do waits no longer than this; giving up the lease and taking it again costs as much. */
export const LINGER_MS = SECOND;
/** Entries and set-aside ranges that may wait in a shard before fresh ones are left alone. */
export const MAX_WAITING = 10_000;
/** Bytes of waiting entries at which fresh ones are left alone, however few they are. */
export const MAX_WAITING_BYTES = 16 * MIB;

/**
 * Connections to a host that nothing is known of yet, over all shards that work it, which have one each at least: so many, or
 * this part of what the user allows it, if that is more.
 */
export const FIRST_CONNECTIONS = 4;
export const FIRST_SHARE = 1 / 4;
/** Connections that each success adds at a host which never failed: after a round of them it has four times as many. */
export const FIRST_GROWTH = 3;
/** What is left of a pace after a refusal. */
export const PACE_CUT = 0.7;
/** By how much of itself what was cut grows with each success: 18 of them make up for a refusal, 35 for a halving. */
export const REGROWTH = 0.02;
/** A pace grows by no more than this part of itself in a second: a fast host refuses once in 7 seconds, no more. */
export const REGROWTH_PER_SECOND = 0.05;
/** Requests per second that are added to a pace with each success whatever it is. */
export const PACE_STEP = 0.01;
/** By so much a start may be late without putting off the next one: a busy loop wakes late, and timers are coarse. */
export const START_SLACK_MS = 20;
/** The slowest pace, in requests per second; a host that wants less has the backoff. */
export const MIN_PACE = 1 / 60;
/** The first pause after a failure, before jitter; each further one is four times as long. */
export const BACKOFF_BASE_MS = 2 * SECOND;
export const BACKOFF_FACTOR = 4;
export const MAX_BACKOFF_MS = 15 * MINUTE;
/** Over so long do those come back whom a source told to come at the same time. */
export const RETRY_AFTER_SPREAD_MS = SECOND;
/**
 * Faults of a working host that one entry may meet, as a multiple of `maxAttempts`: so that every entry ends. So many
 * refusals (429) in a row also give a host up: it lives, and may have others to serve, or a quota of an hour.
 */
export const HOST_FAULTS_PER_ATTEMPT = 4;

/** From so many crashes on, a turn works one entry at a time. */
export const CARE_AFTER_CRASHES = 2;
/** So many deaths alone with a worker end an entry. */
export const MAX_KILLS = 2;
/** So many crashes without progress end what is left of a shard. */
export const MAX_CRASHES = 10;
/** How soon the sweeper wakes a shard whose entries lead into other shards' hosts, should nobody else have. */
export const ABROAD_RETRY_MS = 15 * MINUTE;

/** How long an idempotency key is remembered. */
export const CLAIM_KEPT_MS = 24 * HOUR;
/** Who has claimed an idempotency key and not started its batch by then has died: longer than a request may take. */
export const CLAIM_LEASE_MS = 3 * MINUTE;

/** Batches that may be open at once in a deployment that does not say: a guard against a surprising bill. */
export const DEFAULT_MAX_OPEN_BATCHES = 20;
/** The longest wait that a client may ask for: API Gateway answers within 30 s, the last look included. */
export const MAX_WAIT_MS = 25 * SECOND;

/** Memory of a deployed worker, in MB: as much as brings one whole vCPU. */
export const WORKER_MB = 1769;

/** How often the sweeper looks. */
export const SWEEP_INTERVAL_MS = MINUTE;
/** How often a planner says how far it is. */
export const PLANNING_PULSE_MS = 5 * SECOND;
/** Planning that gave no sign of life for so long has died. */
export const PLANNING_STALE_MS = 15 * MINUTE;
/** So many planners may begin with a list; one that kills them all is rejected. */
export const MAX_PLANNINGS = 5;
/** How overdue a shard is before the sweeper believes its ticket lost. */
export const TICKET_OVERDUE_MS = 15 * MINUTE;
/** How overdue a shard is before the sweeper no longer cares that the queue has tickets: others keep it busy for ever. */
export const TICKET_LOST_MS = 6 * HOUR;
/** The sweeper sends at most one spare ticket per shard in this time. */
export const SPARE_TICKET_MS = HOUR;
/** An open batch without a checkpoint for so long is reported. */
export const STALLED_MS = 30 * MINUTE;
