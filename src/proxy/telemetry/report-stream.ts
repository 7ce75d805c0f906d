// Tells the control plane something once a second on one call that stays open: what metrics and decision records have in common.
import { connectivityState, status } from '@grpc/grpc-js'
import type { Client, ClientWritableStream, MethodDefinition, StatusObject } from '@grpc/grpc-js'

import type { Clock, Timer } from '../../core/clock.ts'

export interface Reports<Message> {
  readonly method: Pick<MethodDefinition<Message, unknown>, 'path' | 'requestSerialize' | 'responseDeserialize'>
  /** The first message of each call: who reports. What was told on the one before may be lost. */
  readonly begin: () => Message
  /** What there is to tell; undefined: nothing. */
  readonly take: () => Message | undefined
  /** What is taken is in no later report: it waits until a call has got through. */
  readonly onlyOnce?: boolean
  /** There was no call to tell it on, or a slow one. */
  readonly skipped?: () => void
  /** Nobody wants it: any xDS server will do. */
  readonly unwanted?: () => void
}

export interface ReportStream {
  /** Tells what there is to tell, and ends. Resolves when the control plane has it, or after `withinMs`. */
  finish(withinMs: number): Promise<void>
  stop(): void
}

const intervalMs = 1_000

/** On a channel that somebody else opened and closes. */
export function streamReports<Message>(client: Client, reports: Reports<Message>, clock: Clock): ReportStream {
  const { method } = reports
  let call: ClientWritableStream<Message> | undefined
  let blocked = false
  let unknown = false
  let ended: (() => void) | undefined
  let timer: Timer | undefined
  const open = (): void => {
    try {
      call = client.makeClientStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, () => {
        // its status follows
      })
    } catch {
      // the channel was closed meanwhile
      return
    }
    const opened = call
    call.on('drain', () => {
      if (call === opened) blocked = false
    })
    call.on('status', ({ code }: StatusObject) => {
      if (call === opened) call = undefined
      unknown = code === status.UNIMPLEMENTED
      if (unknown) reports.unwanted?.()
      ended?.()
    })
    blocked = !call.write(reports.begin())
  }
  /** What is written to a call that never gets through, or is refused at once, is lost. */
  const isThrough = (): boolean => client.getChannel().getConnectivityState(false) === connectivityState.READY
  const report = (): void => {
    if (unknown) return
    const isNew = call === undefined
    if (isNew) open()
    if (call === undefined || blocked) {
      reports.skipped?.()
      return
    }
    if (reports.onlyOnce === true && (isNew || !isThrough())) return
    const message = reports.take()
    if (message !== undefined) blocked = !call.write(message)
  }
  const tick = (): void => {
    report()
    timer = clock.setTimer(intervalMs, tick)
  }
  tick()
  return {
    finish(withinMs) {
      timer?.cancel()
      report()
      if (call === undefined) return Promise.resolve()
      const { promise, resolve } = Promise.withResolvers<void>()
      const deadline = clock.setTimer(withinMs, resolve)
      ended = () => {
        deadline.cancel()
        resolve()
      }
      call.end()
      return promise
    },
    stop() {
      timer?.cancel()
      call?.cancel()
    },
  }
}
