// Latin-1 in and out of buffers without the detour of `toString` and `write`, which look at their arguments for longer than they work.

interface Latin1Buffer {
  latin1Slice(start: number, end: number): string
  latin1Write(text: string, offset: number, length: number): number
}

export function latin1Slice(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as Latin1Buffer).latin1Slice(start, end)
}

/** Returns how many bytes were written. There must be room. */
export function latin1Write(bytes: Buffer, text: string, offset: number): number {
  return (bytes as unknown as Latin1Buffer).latin1Write(text, offset, text.length)
}
