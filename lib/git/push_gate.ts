import type { RefCommand } from "./push_commands.ts";
import type { RepositoryRef } from "./repository_ref.ts";

/** Permission for one push; the gate's owner extends it with what it needs to finish the push. */
export interface PushGrant {
  readonly repository: RepositoryRef;
  /** Most bytes of its pack, when less than usual is allowed; 0 = unlimited. */
  readonly maxPackBytes?: number;
}

/** The answer to a push. Texts are complete sentences, prefix included, as the client will see them. */
export type PushDecision =
  | { readonly ok: true; readonly grant: PushGrant }
  | {
    readonly ok: false;
    readonly text: string;
    /** Reason by ref; refs without one are refused because of the others, or for `text` when none has one. */
    readonly reasons: ReadonlyMap<string, string>;
  };

/** Decides about pushes and is told how they ended: once per grant, either `settle` or `abandon`. */
export interface PushGate {
  /**
   * Whether these updates may happen. Called before the pack is read. A rejection refuses the push.
   * `client` is the address it came from, as far as known.
   */
  authorise(
    repository: RepositoryRef,
    commands: readonly RefCommand[],
    client?: string,
  ): Promise<PushDecision>;
  /** Git applied `applied` (at least one, verified from the refs); the client's report waits for this. */
  settle(grant: PushGrant, applied: readonly RefCommand[]): Promise<void>;
  /** Git changed nothing. */
  abandon(grant: PushGrant): Promise<void>;
}
