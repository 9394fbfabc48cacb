/** Longest ref name accepted anywhere, in UTF-8 bytes. */
const MAX_REF_NAME_BYTES = 1024;
/** Longest component of a ref name: each becomes a file name. */
const MAX_COMPONENT_BYTES = 255;

// deno-lint-ignore no-control-regex -- git forbids exactly these characters
const FORBIDDEN = /[\x00-\x20\x7f~^:?*[\\]/;

/**
 * True when `name` is a full ref name git accepts: the rules of git-check-ref-format(1) for names
 * with at least two components. Ref names from events and pushes must pass before reaching git.
 */
export function isValidRefName(name: string): boolean {
  if (!name.isWellFormed() || FORBIDDEN.test(name)) return false;
  if (name.includes("..") || name.includes("@{") || name.endsWith(".")) return false;
  const components = name.split("/");
  if (components.length < 2) return false;
  if (isLonger(name, MAX_REF_NAME_BYTES)) return false;
  return components.every((component) =>
    component !== "" && !component.startsWith(".") && !component.endsWith(".lock") &&
    !isLonger(component, MAX_COMPONENT_BYTES)
  );
}

/** True when `text` takes more than `maxBytes` of UTF-8; counts only where the answer is not obvious. */
function isLonger(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true;
  return text.length * 3 > maxBytes && new TextEncoder().encode(text).length > maxBytes;
}

/** Forty zeros: "no object" in ref update commands. */
export const ZERO_OID = "0".repeat(40);

/** True for 40 lower-case hex digits other than {@link ZERO_OID}: an object id that may reach git. */
export function isOid(value: string): boolean {
  return /^[0-9a-f]{40}$/.test(value) && value !== ZERO_OID;
}
