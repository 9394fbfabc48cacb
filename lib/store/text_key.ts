/** Marks a key that holds JSON text instead of the value itself. */
const ESCAPE = "\x01";

/**
 * The text under which a value from an event is kept in a column that queries compare with.
 *
 * SQLite text functions stop at NUL and UTF-8 cannot hold a lone surrogate, so such values are kept
 * as escaped JSON behind a marker; values that begin with the marker are too, which keeps the
 * mapping injective. Every other value is its own key.
 */
export function textKey(value: string): string {
  const plain = !value.startsWith(ESCAPE) && !value.includes("\0") && value.isWellFormed();
  return plain ? value : ESCAPE + JSON.stringify(value);
}

/** The value whose {@link textKey} is `key`. Throws SyntaxError on a key nobody made. */
export function valueOfTextKey(key: string): string {
  return key.startsWith(ESCAPE) ? JSON.parse(key.slice(ESCAPE.length)) as string : key;
}

/** Hex digits of an id that make its {@link idOrder}. */
export const ID_ORDER_DIGITS = 13;

/**
 * First 52 bits of an event id as an integer: orders events of one second as their ids do, at a
 * tenth of the index space. Texts whose ids agree in all 52 bits are told apart once they are read.
 */
export function idOrder(id: string): number {
  return Number.parseInt(id.slice(0, ID_ORDER_DIGITS), 16);
}
