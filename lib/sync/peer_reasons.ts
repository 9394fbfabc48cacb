/** What a CLOSED asks for (NIP-01 prefixes). */
export type ClosedMeaning =
  /** Authenticate and ask again (NIP-42). */
  | "auth"
  /** Too many subscriptions are open. */
  | "budget"
  /** Slow down. */
  | "rate"
  /** Refused for good. */
  | "final"
  /** An error that may pass. */
  | "error";

const FINAL_PREFIXES = ["restricted", "blocked", "unsupported", "invalid"];

/** Reads the reason of a CLOSED or NEG-ERR. */
export function closedMeaning(reason: string): ClosedMeaning {
  const text = reason.toLowerCase().trimStart();
  const prefix = /^([a-z-]+):/.exec(text)?.[1];
  if (prefix === "auth-required") return "auth";
  if (isTooManySubscriptions(text)) return "budget";
  if (prefix === "rate-limited") return "rate";
  if (prefix !== undefined && FINAL_PREFIXES.includes(prefix)) return "final";
  return isRateLimit(text) ? "rate" : "error";
}

/** A refusal because of the number of open subscriptions, which waiting alone does not cure. */
export function isTooManySubscriptions(text: string): boolean {
  return /too many (\w+ ){0,2}(subscription|sub|req)s?\b/i.test(text) ||
    /max(imum)?\b.{0,20}\bsubscriptions?\b/i.test(text);
}

/** The four patterns by which a NOTICE asks us to slow down. */
export function isRateLimit(text: string): boolean {
  const lower = text.toLowerCase();
  return (lower.includes("rate") && lower.includes("limit")) || lower.includes("too many") ||
    lower.includes("slow down") || lower.includes("throttl");
}

/** A NOTICE that complains about a message of NIP-77. */
export function isAboutNegentropy(text: string): boolean {
  const lower = text.toLowerCase();
  return text.includes("NEG-") || lower.includes("envelope") || lower.includes("negentropy");
}

/** A `blocked:` refusal of a negotiation that a smaller time range may avoid (NIP-77). */
export function isSetTooLarge(reason: string): boolean {
  const text = reason.toLowerCase().trimStart();
  return text.startsWith("blocked:") && !text.includes("too many sessions");
}
