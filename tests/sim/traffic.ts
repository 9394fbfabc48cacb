/** Messages and bytes of one type. */
export interface Amount {
  messages: number;
  bytes: number;
}

/** Counts what crosses the network, by message type. */
export class Traffic {
  readonly byType = new Map<string, Amount>();

  /** Counts one message; its type is the first word of the JSON array. */
  count(_from: string, _to: string, text: string): void {
    const type = /^\["([A-Z-]+)"/.exec(text)?.[1] ?? "other";
    this.add(type, text.length);
  }

  /** Counts `bytes` of `type`. */
  add(type: string, bytes: number): void {
    const amount = this.byType.get(type) ?? { messages: 0, bytes: 0 };
    amount.messages++;
    amount.bytes += bytes;
    this.byType.set(type, amount);
  }

  /** All types together. */
  total(): Amount {
    const sum = { messages: 0, bytes: 0 };
    for (const { messages, bytes } of this.byType.values()) {
      sum.messages += messages;
      sum.bytes += bytes;
    }
    return sum;
  }
}
