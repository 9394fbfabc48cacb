/** The value of a `Git-Protocol` header that may reach git; undefined when absent or odd. */
export function gitProtocol(request: Request): string | undefined {
  const value = request.headers.get("git-protocol");
  return value !== null && /^[A-Za-z0-9=:._-]{1,256}$/.test(value) ? value : undefined;
}

/** The version git chooses for such a value: the highest it knows of those named. */
export function protocolVersion(value: string | undefined): 0 | 1 | 2 {
  const names = (value ?? "").split(":");
  return names.includes("version=2") ? 2 : names.includes("version=1") ? 1 : 0;
}
