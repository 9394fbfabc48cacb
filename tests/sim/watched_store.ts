import type { Store } from "../../lib/store/mod.ts";
import type { Activity } from "./world.ts";

/**
 * The store as one engine sees it: work on it counts as activity of the present moment, and a dead engine
 * neither writes nor hears anything.
 */
export function watchedStore(store: Store, activity: Activity, isDead: () => boolean): Store {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]): unknown => {
        if (isDead()) return new Promise(() => {});
        const result: unknown = member.apply(target, args);
        return result instanceof Promise ? activity.watch(result) : result;
      };
    },
  });
}
