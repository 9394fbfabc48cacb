import type { BatchProgress, PeerMemory } from "./ports.ts";

/** What is known of a peer before the first connection. */
export function newPeerMemory(): PeerMemory {
  return {
    negentropy: "unknown",
    negentropyTimeouts: 0,
    learnedThreshold: undefined,
    liveNeedsSince: false,
    limits: undefined,
    limitsReadAt: 0,
    learnedBudget: undefined,
  };
}

/** The progress of a batch that nobody has begun. */
export function newBatchProgress(): BatchProgress {
  return {
    outstandingSubs: new Set(),
    method: "req",
    requestedIds: undefined,
    receivedIds: undefined,
    retryCount: 0,
    failed: false,
  };
}
