import { isDatabaseTrouble } from "./database_errors.ts";
import { nextTurn } from "./turn.ts";

interface Waiting<Q, A> {
  readonly question: Q;
  readonly answer: PromiseWithResolvers<A>;
}

/**
 * Questions asked in one turn of the event loop are answered together: events arrive in bursts, and one
 * statement about many costs a fraction of many statements. Those who ask limit how many wait. A question that
 * cannot be asked takes no others along.
 */
export class Together<Q, A> {
  readonly #answerAll: (questions: readonly Q[]) => Promise<readonly A[]>;
  #waiting: Waiting<Q, A>[] = [];

  /** `answerAll` gives one answer per question, in order. */
  constructor(answerAll: (questions: readonly Q[]) => Promise<readonly A[]>) {
    this.#answerAll = answerAll;
  }

  /** Resolves to the answer as of a moment after the call. */
  ask(question: Q): Promise<A> {
    const answer = Promise.withResolvers<A>();
    if (this.#waiting.push({ question, answer }) === 1) void nextTurn().then(() => this.#answerWaiting());
    return answer.promise;
  }

  #answerWaiting(): void {
    const asked = this.#waiting;
    this.#waiting = [];
    void this.#answer(asked);
  }

  async #answer(asked: readonly Waiting<Q, A>[]): Promise<void> {
    try {
      const answers = await this.#answerAll(asked.map(({ question }) => question));
      asked.forEach(({ answer }, index) => answer.resolve(answers[index]!));
    } catch (cause) {
      if (asked.length === 1 || isDatabaseTrouble(cause)) {
        for (const { answer } of asked) answer.reject(cause);
        return;
      }
      const half = Math.ceil(asked.length / 2);
      void this.#answer(asked.slice(0, half));
      void this.#answer(asked.slice(half));
    }
  }
}
