import type { PushDecision, PushGate, PushGrant, RepositoryRef } from "../git/mod.ts";
import type { RefCommand } from "../policy/mod.ts";

/** Asks the gate of hosted repositories or that of contributors' ones, by the repository of a push. */
export function gates(hosted: PushGate, contributions: PushGate | undefined): PushGate {
  const of = ({ space }: RepositoryRef): PushGate =>
    space === "prs" && contributions ? contributions : hosted;
  return {
    authorise: (repository: RepositoryRef, commands: readonly RefCommand[], client?: string): Promise<
      PushDecision
    > => of(repository).authorise(repository, commands, client),
    settle: (grant: PushGrant, applied: readonly RefCommand[]) => of(grant.repository).settle(grant, applied),
    abandon: (grant: PushGrant) => of(grant.repository).abandon(grant),
  };
}
