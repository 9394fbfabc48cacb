/** How the connection to a relay stands; `None`: not tracked, before or after. */
export type Status =
  | "None"
  | "Disconnected"
  | "Connecting"
  | "Syncing"
  | "Connected"
  | "ConnectedDegraded"
  | "Disconnecting";

/** What moves a relay from one status to another. */
export type Trigger =
  | "register"
  /** An attempt begins. */
  | "dial"
  | "opened"
  | "dialFailed"
  /** History has come in whole. */
  | "completed"
  /** History has ended with known gaps. */
  | "completedWithGaps"
  /** The socket is gone, and not by our doing. */
  | "lost"
  /** Daily reconcile or repair. */
  | "resync"
  /** History asked for after completion failed. */
  | "lateFailure"
  /** Nobody wants the relay, or the server stops. */
  | "drop"
  /** Nothing of a dropped relay is open. */
  | "drained";

/** All transitions there are; what is not listed is a programming error. */
export const TRANSITIONS: Readonly<Record<Status, Readonly<Partial<Record<Trigger, Status>>>>> = {
  None: { register: "Disconnected" },
  Disconnected: { dial: "Connecting", drop: "Disconnecting" },
  Connecting: { opened: "Syncing", dialFailed: "Disconnected", drop: "Disconnecting" },
  Syncing: {
    completed: "Connected",
    completedWithGaps: "ConnectedDegraded",
    lost: "Disconnected",
    drop: "Disconnecting",
  },
  Connected: {
    lateFailure: "ConnectedDegraded",
    resync: "Syncing",
    lost: "Disconnected",
    drop: "Disconnecting",
  },
  ConnectedDegraded: { resync: "Syncing", lost: "Disconnected", drop: "Disconnecting" },
  Disconnecting: { drained: "None" },
};

/** The value of the connection gauge of each status that is shown. */
export const CONNECTION_GAUGE = {
  None: 0,
  Disconnected: 0,
  Connecting: 1,
  Syncing: 2,
  Connected: 3,
  ConnectedDegraded: 4,
  Disconnecting: 5,
} as const satisfies Record<Status, number>;

/** True when live subscriptions may be opened: the socket is there and stays. */
export function isLive(status: Status | undefined): boolean {
  return status === "Syncing" || status === "Connected" || status === "ConnectedDegraded";
}
