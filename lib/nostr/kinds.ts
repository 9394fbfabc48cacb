/** Event kinds this server has an opinion about (NIP-01, NIP-09, NIP-34, GRASP-01). */
export const KIND = {
  metadata: 0,
  deletion: 5,
  patch: 1617,
  pullRequest: 1618,
  pullRequestUpdate: 1619,
  issue: 1621,
  graspList: 10317,
  announcement: 30617,
  state: 30618,
} as const;

/** How a kind is stored (NIP-01 "Kinds"). */
export type KindClass = "regular" | "replaceable" | "ephemeral" | "addressable";

/** The NIP-01 storage class of `kind`. */
export function kindClass(kind: number): KindClass {
  if (kind === 0 || kind === 3 || (kind >= 10_000 && kind < 20_000)) return "replaceable";
  if (kind >= 20_000 && kind < 30_000) return "ephemeral";
  if (kind >= 30_000 && kind < 40_000) return "addressable";
  return "regular";
}
