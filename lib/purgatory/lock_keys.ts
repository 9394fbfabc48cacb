/** Lock key of an event id whose ref and event may arrive at the same time. */
export function pullRequestLock(id: string): string {
  return `refs/nostr/${id}`;
}
