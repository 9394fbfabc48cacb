// A file system in memory with the promise methods isomorphic-git needs; loaded by the test page.
globalThis.memoryFs = () => {
  const nodes = new Map([["/", { type: "dir" }]]);
  const clean = (path) => "/" + path.split("/").filter((part) => part !== "" && part !== ".").join("/");
  const fail = (code, path) => {
    throw Object.assign(new Error(`${code}: ${path}`), { code });
  };
  const need = (path, type) => {
    const node = nodes.get(clean(path)) ?? fail("ENOENT", path);
    if (type !== undefined && node.type !== type) fail(type === "dir" ? "ENOTDIR" : "EISDIR", path);
    return node;
  };
  const parent = (path) => need(clean(path).replace(/\/[^/]*$/, "") || "/", "dir");
  const children = (path) => {
    const prefix = clean(path) === "/" ? "/" : clean(path) + "/";
    return [...nodes.keys()].filter((key) =>
      key !== "/" && key.startsWith(prefix) && !key.slice(prefix.length).includes("/")
    ).map((key) => key.slice(prefix.length));
  };
  const stat = (path) => {
    const { type, data, mode = 0o644 } = need(path);
    return {
      type,
      mode,
      size: data?.length ?? 0,
      ino: 0,
      mtimeMs: 0,
      ctimeMs: 0,
      uid: 1,
      gid: 1,
      dev: 1,
      isFile: () => type === "file",
      isDirectory: () => type === "dir",
      isSymbolicLink: () => false,
    };
  };
  const remove = (path, type) => {
    need(path, type);
    if (type === "dir" && children(path).length > 0) fail("ENOTEMPTY", path);
    nodes.delete(clean(path));
  };
  const method = (work) => (...args) => Promise.resolve().then(() => work(...args));
  return {
    promises: {
      readFile: method((path, options) => {
        const { data } = need(path, "file");
        const encoding = typeof options === "string" ? options : options?.encoding;
        return encoding ? new TextDecoder().decode(data) : data;
      }),
      writeFile: method((path, data, options) => {
        parent(path);
        const bytes = typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data);
        nodes.set(clean(path), { type: "file", data: bytes, mode: options?.mode });
      }),
      mkdir: method((path) => {
        parent(path);
        if (nodes.has(clean(path))) fail("EEXIST", path);
        nodes.set(clean(path), { type: "dir" });
      }),
      readdir: method((path) => need(path, "dir") && children(path)),
      unlink: method((path) => remove(path, "file")),
      rmdir: method((path) => remove(path, "dir")),
      stat: method(stat),
      lstat: method(stat),
      readlink: method((path) => fail("EINVAL", path)),
      symlink: method((_target, path) => fail("EPERM", path)),
    },
  };
};
