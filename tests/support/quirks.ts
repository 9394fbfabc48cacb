/** How a scripted peer differs from a good relay, all the time. */
export interface Quirks {
  /** After the stored events: nothing, two EOSEs, or one after so many milliseconds. */
  readonly eose?: "never" | "twice" | number;
  /** Most stored events of one filter. */
  readonly cap?: number;
  /** Most events of a filter with `ids`. */
  readonly idsCap?: number;
  /** Ids it lists in negotiations and does not send when asked for them by id. */
  readonly unserved?: ReadonlySet<string> | "all";
  /** Takes `limit: 0` for no limit. */
  readonly storedForLimitZero?: boolean;
  /** CLOSED for `limit: 0`. */
  readonly refusesLimitZero?: boolean;
  /** CLOSED for subscriptions beyond. */
  readonly maxSubscriptions?: number;
  /** Demands authentication before any REQ and accepts or refuses every answer (NIP-42). */
  readonly auth?: "accept" | "refuse";
  /** Closes the connection instead of handling what follows this many messages. */
  readonly dropAfter?: number;
  /** Hangs up this long after somebody connected. */
  readonly closesAfterMs?: number;
  /** Half open: what we send vanishes, live events still come. */
  readonly deaf?: boolean;
  /**
   * NIP-77: `notice` answers with a NOTICE about an unknown envelope, `silent` not at all, `garbage` with
   * something else than a message, `endless` without ever converging; an `error` is the reason of a NEG-ERR.
   */
  readonly negentropy?: "notice" | "silent" | "garbage" | "endless" | { readonly error: string };
  /** NEG-ERR `blocked:` for larger sets. */
  readonly maxNegotiated?: number;
  /** NIP-11 document; without one it answers 404. */
  readonly information?: Readonly<Record<string, unknown>>;
  /** Answers a WebSocket handshake with a page. */
  readonly noUpgrade?: boolean;
}
