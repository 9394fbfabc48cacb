/** Longest identifier in UTF-8 bytes, so that `<identifier>.git` fits a 255-byte file name. */
export const MAX_IDENTIFIER_BYTES = 251;

/**
 * Why `identifier` cannot name a repository, or undefined when it can (GRASP-01; it becomes a
 * directory name). Everything not refused here is legal and stored verbatim.
 */
export function identifierProblem(identifier: string): string | undefined {
  if (identifier === "") return "identifier must not be empty";
  if (identifier === "." || identifier === "..") {
    return `identifier '${identifier}' is a reserved path component`;
  }
  const separator = identifier.match(/[/\\]/);
  if (separator) return `identifier '${identifier}' contains path separator '${separator[0]}'`;
  if (identifier.includes("\0")) return `identifier '${identifier}' contains a null byte`;
  if (!identifier.isWellFormed()) return "identifier is not valid Unicode";
  const mayBeLong = identifier.length * 3 > MAX_IDENTIFIER_BYTES; // a UTF-16 unit takes at most 3 bytes
  if (mayBeLong && new TextEncoder().encode(identifier).length > MAX_IDENTIFIER_BYTES) {
    return `identifier is longer than ${MAX_IDENTIFIER_BYTES} bytes`;
  }
  return undefined;
}

/** Percent-encodes every byte outside `A-Z a-z 0-9 - _ . ~`, upper-case, for URLs we print. */
export function encodeIdentifier(identifier: string): string {
  return encodeURIComponent(identifier).replace(
    /[!'()*]/g,
    (char) => "%" + char.charCodeAt(0).toString(16).toUpperCase(),
  );
}
