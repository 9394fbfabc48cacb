/**
 * Answers that are under way, given in the order of their questions whatever finishes first. Bounded:
 * whoever adds one is told when there is room for the next.
 */
export class AnswerQueue {
  readonly #maxAnswers: number;
  readonly #maxSize: number;
  #answers = 0;
  #size = 0;
  /** Resolves when the last answer has been given. */
  #last: Promise<void> = Promise.resolve();
  #wake: () => void = () => {};

  /** At most `maxAnswers` under way, and questions of `maxSize` together, but always one. */
  constructor(maxAnswers: number, maxSize: number) {
    this.#maxAnswers = maxAnswers;
    this.#maxSize = maxSize;
  }

  /**
   * Gives `answer` (which must not reject) when its turn has come; `give` must not throw. What is
   * returned resolves when there is room for the next question.
   */
  add<T>(answer: Promise<T>, size: number, give: (answer: T) => void): Promise<void> | void {
    const before = this.#last;
    this.#answers++;
    this.#size += size;
    this.#last = this.#giveAfter(before, answer, size, give);
    if (!this.#hasRoom) return this.#room();
  }

  /** Resolves when nothing is under way. */
  empty(): Promise<void> {
    return this.#last;
  }

  get #hasRoom(): boolean {
    return this.#answers < this.#maxAnswers && this.#size < this.#maxSize;
  }

  async #giveAfter<T>(
    before: Promise<void>,
    answer: Promise<T>,
    size: number,
    give: (answer: T) => void,
  ): Promise<void> {
    await before;
    give(await answer);
    this.#answers--;
    this.#size -= size;
    this.#wake();
  }

  async #room(): Promise<void> {
    while (!this.#hasRoom) await new Promise<void>((resolve) => this.#wake = resolve);
  }
}
