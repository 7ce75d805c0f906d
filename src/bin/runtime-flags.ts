// How the JavaScript engine compiles a proxy. A request passes many small functions: with room for them in their callers it takes about 7 %
// less time (bench/micro/two-hops.ts with `none`; with all policies on its way the difference is within the noise).
import { setFlagsFromString } from 'node:v8'

/** Holds for what is compiled from now on. */
export function inlineMore(): void {
  setFlagsFromString('--max-inlined-bytecode-size=600')
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=4000')
}
