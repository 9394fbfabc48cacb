import type { Target } from "./targets.ts";

/**
 * The relays to follow when there may be more than `max`: bootstrap relays first, then those that most
 * repositories name; relays tracked already win a tie, then the name decides.
 */
export function selectRelays(
  targets: ReadonlyMap<string, Target>,
  bootstrap: ReadonlySet<string>,
  tracked: { has(url: string): boolean },
  max: number,
): ReadonlySet<string> {
  const others = [...targets.keys()].filter((url) => !bootstrap.has(url));
  const room = Math.max(0, max - bootstrap.size);
  if (others.length <= room) return new Set([...bootstrap, ...others.sort()]);
  const weight = (url: string) => targets.get(url)!.full.size + targets.get(url)!.stateOnly.size;
  others.sort((a, b) =>
    weight(b) - weight(a) || Number(tracked.has(b)) - Number(tracked.has(a)) || (a < b ? -1 : 1)
  );
  return new Set([...bootstrap, ...others.slice(0, room)]);
}
