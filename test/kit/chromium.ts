// Debian's browser, for tests of the page.
import { existsSync } from 'node:fs'

export const executablePath = '/usr/bin/chromium'

/** Why such tests are skipped, which the reporter says; false: they run. */
export const withoutChromium: string | false = existsSync(executablePath)
  ? false
  : `there is no ${executablePath}: install Debian's chromium`
