// Makes place for a new log file: the one that is full becomes NAME.1.log, that one NAME.2.log, and so on.
import { renameSync, rmSync } from 'node:fs'
import { parse } from 'node:path'

/** `kept`: how many there are besides the one that is written; the oldest is lost. A name that cannot be changed stays. */
export function rotateNames(file: string, kept: number): void {
  if (kept === 0) rmSync(file, { force: true })
  const { dir, name, ext } = parse(file)
  const names = [file, ...Array.from({ length: kept }, (_, index) => `${dir}/${name}.${index + 1}${ext}`)]
  for (let index = names.length - 2; index >= 0; index--) rename(names[index] as string, names[index + 1] as string)
}

function rename(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch {
    // it is not there yet, or the disk says no: the log goes on either way
  }
}
