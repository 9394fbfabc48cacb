import type {
  FetchResult,
  HuntGauges,
  HuntGroup,
  NaughtyCategory,
  RejectedType,
  SyncGroup,
} from "./metrics_sync.ts";

/** All members of a union, which the record makes the compiler ask for. */
function members<T extends string>(record: Readonly<Record<T, true>>): readonly T[] {
  return Object.keys(record) as T[];
}

/** Values of `event_type`. */
export const REJECTED_TYPES = members<RejectedType>({ announcement: true, state: true });

/** Values of `category`. */
export const NAUGHTY_CATEGORIES = members<NaughtyCategory>({
  dns_lookup_failed: true,
  tls_certificate_invalid: true,
  protocol_error: true,
});

/** Values of `reason` of dropped frames. */
export const DROP_REASONS = members<Parameters<SyncGroup["droppedFrame"]>[0]>({
  malformed: true,
  invalid_event: true,
  filter: true,
  subscription: true,
  size: true,
  future: true,
  overload: true,
});

/** Values of `result` of fetches. */
export const FETCH_RESULTS = members<FetchResult>({
  fetched: true,
  nothing: true,
  refused: true,
  naughty: true,
  network: true,
  timeout: true,
  blocked: true,
  too_large: true,
  local: true,
});

/** Values of `reason` of skipped clone URLs. */
export const SKIP_REASONS = members<Parameters<HuntGroup["urlSkipped"]>[0]>({
  scheme: true,
  own: true,
  private: true,
  naughty: true,
  throttled: true,
  shape: true,
});

/** Values of `state` of hunted units. */
export const UNIT_STATES = members<keyof HuntGauges["units"]>({
  due: true,
  delayed: true,
  running: true,
  host_queued: true,
});
