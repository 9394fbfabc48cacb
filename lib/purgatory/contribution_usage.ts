import type { RepositoryRef } from "../git/mod.ts";

/** Largest sizes of what lies below `/prs/`, in bytes; 0 = unlimited. */
export interface ContributionCaps {
  readonly maxTotalBytes: number;
  readonly maxBytesPerSubmitter: number;
}

/** Measures one repository in bytes; 0 when it does not exist. */
export type Measure = (repository: RepositoryRef) => Promise<number>;

/**
 * How much contributors' repositories take on disk, kept in memory: one number per repository. It is
 * measured without a cap too, because an operator may set one at any time.
 */
export class ContributionUsage {
  readonly #caps: ContributionCaps;
  readonly #measure: Measure;
  readonly #bytes = new Map<string, Map<string, number>>();

  constructor(caps: ContributionCaps, measure: Measure) {
    this.#caps = caps;
    this.#measure = measure;
  }

  /** Measures a repository again, after a push, a removal, or at start. */
  async update(repository: RepositoryRef): Promise<void> {
    const { owner, identifier } = repository;
    const bytes = await this.#measure(repository);
    const own = this.#bytes.get(owner) ?? new Map<string, number>();
    if (bytes > 0) own.set(identifier, bytes);
    else own.delete(identifier);
    if (own.size > 0) this.#bytes.set(owner, own);
    else this.#bytes.delete(owner);
  }

  /** Why nothing more is taken from this submitter, or how many bytes more fit (Infinity without a cap). */
  room(submitter: string): { readonly left: number } | { readonly problem: string } {
    const { maxTotalBytes, maxBytesPerSubmitter } = this.#caps;
    const own = this.#ofSubmitter(submitter);
    const left = Math.min(
      maxTotalBytes === 0 ? Infinity : maxTotalBytes - this.#total(),
      maxBytesPerSubmitter === 0 ? Infinity : maxBytesPerSubmitter - own,
    );
    if (left > 0) return { left };
    return {
      problem: maxBytesPerSubmitter > 0 && own >= maxBytesPerSubmitter
        ? `the storage for contributions of this submitter is full (${maxBytesPerSubmitter} bytes)`
        : `the storage for contributions is full (${maxTotalBytes} bytes)`,
    };
  }

  #ofSubmitter(submitter: string): number {
    return sum(this.#bytes.get(submitter)?.values() ?? []);
  }

  #total(): number {
    return sum([...this.#bytes.values()].map((own) => sum(own.values())));
  }
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
