/** Counts calls under way, so that virtual time waits for real work. */
export class Busy {
  #running = 0;

  get isBusy(): boolean {
    return this.#running > 0;
  }

  /** Counts a promise until it settles. */
  during<T>(work: Promise<T>): Promise<T> {
    this.#running++;
    return work.finally(() => this.#running--);
  }

  /** The same object with every promise its methods return counted, steps of async iterations included. */
  watch<T extends object>(target: T): T {
    const bound = new Map<PropertyKey, unknown>();
    return new Proxy(target, {
      get: (object, name) => {
        const value: unknown = Reflect.get(object, name, object);
        if (typeof value !== "function") return value;
        let wrapped = bound.get(name);
        if (!wrapped) {
          bound.set(
            name,
            wrapped = (...args: unknown[]) => this.#counted(value.apply(object, args)),
          );
        }
        return wrapped;
      },
    });
  }

  #counted(result: unknown): unknown {
    if (result instanceof Promise) return this.during(result);
    if (typeof result === "object" && result !== null && Symbol.asyncIterator in result) {
      return this.#iterate(result as AsyncIterable<unknown>);
    }
    return result;
  }

  async *#iterate(source: AsyncIterable<unknown>): AsyncIterable<unknown> {
    const steps = source[Symbol.asyncIterator]();
    for (;;) {
      const step = await this.during(steps.next());
      if (step.done) return;
      yield step.value;
    }
  }
}
