import type { RetiredRepository, Store } from "../../lib/store/mod.ts";

/** Everything held of a repository, latest first. */
export async function retiredRows(
  store: Pick<Store, "held">,
  owner: string,
  identifier: string,
): Promise<readonly RetiredRepository[]> {
  return (await Array.fromAsync(store.held(owner, identifier))).reverse();
}
