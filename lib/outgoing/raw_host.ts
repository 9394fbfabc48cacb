/** The host of a URL as it was written, without user info, port and brackets; "" when there is none. */
export function rawHost(url: string): string {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#\\]*)/i.exec(url.trim())?.[1] ?? "";
  const hostAndPort = authority.slice(authority.lastIndexOf("@") + 1);
  return /^\[([^\]]*)\]/.exec(hostAndPort)?.[1] ?? hostAndPort.replace(/:\d*$/, "");
}

/** True when a URL parser reads an IPv4 address where no four decimal numbers are written: `0x7f.1`, `2130706433`. */
export function hasOddNumericHost(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  return /^\d+\.\d+\.\d+\.\d+$/.test(hostname) && rawHost(url).replace(/\.$/, "") !== hostname;
}
