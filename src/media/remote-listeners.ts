import { z } from 'zod'
import { concatBytes } from '../audio/mulaw.ts'
import type { ProcessMessages } from '../domain/system/index.ts'
import { errorMessage } from '../lib/errors.ts'
import { newId } from '../lib/ids.ts'
import type { Logger } from '../lib/log.ts'
import type { CallListener } from './listen-tap.ts'

/** A message holds 300 ms of both sides: base64 of 4,800 bytes, below the 8,000 of NOTIFY. */
const SIDE_BYTES = 2_400
/** Messages on their way to Postgres; a listener for whom more would wait is dropped. */
const MAX_UNSENT = 8
/** How often a listener says that it is still there, and when it counts as gone without that. */
const KEEP_MS = 4_000
const GONE_MS = 12_000
/** Without any audio for this long the server of the call counts as gone: frames come all the time. */
const SILENT_MS = 8_000

const sent = z.discriminatedUnion('tell', [
  z.object({ tell: z.literal('audio'), listenerId: z.string(), audio: z.base64() }),
  z.object({ tell: z.literal('ended'), listenerId: z.string() }),
])

/** A message between servers was lost: each side ends by itself when it hears nothing more. */
const unsent = (log: Logger) => (error: unknown) =>
  log.warn({ error: errorMessage(error) }, 'message about a listener not sent')

type Relayed = {
  leave(): void
  to: string
  caller: Uint8Array[]
  agent: Uint8Array[]
  bytes: number
  unsent: number
  seenAt: number
}

/** Calls of this process that are heard at another one: every 300 ms of audio is one NOTIFY. */
export class ListenRelay {
  readonly #relayed = new Map<string, Relayed>()
  readonly #timer: Timer

  constructor(
    private readonly messages: ProcessMessages,
    private readonly log: Logger,
  ) {
    this.#timer = setInterval(() => this.#dropGone(), KEEP_MS)
    this.#timer.unref()
  }

  get size(): number {
    return this.#relayed.size
  }

  /** @param attach lets a listener hear the call */
  begin(listenerId: string, to: string, attach: (listener: CallListener) => () => void): void {
    this.end(listenerId)
    const leave = attach({
      hear: (caller, agent) => this.#hear(listenerId, caller, agent),
      end: () => {
        this.#relayed.delete(listenerId)
        this.messages.tell(to, { tell: 'ended', listenerId }).catch(unsent(this.log))
      },
    })
    const seenAt = performance.now()
    this.#relayed.set(listenerId, { leave, to, caller: [], agent: [], bytes: 0, unsent: 0, seenAt })
  }

  /** @returns whether the listener is known */
  keep(listenerId: string): boolean {
    const relayed = this.#relayed.get(listenerId)
    if (relayed) relayed.seenAt = performance.now()
    return relayed !== undefined
  }

  end(listenerId: string): void {
    const relayed = this.#relayed.get(listenerId)
    if (!relayed) return
    this.#relayed.delete(listenerId)
    relayed.leave()
  }

  close(): void {
    clearInterval(this.#timer)
    for (const id of [...this.#relayed.keys()]) this.end(id)
  }

  #hear(listenerId: string, caller: Uint8Array, agent: Uint8Array): void {
    const relayed = this.#relayed.get(listenerId)
    if (!relayed) return
    relayed.caller.push(caller)
    relayed.agent.push(agent)
    relayed.bytes += caller.length
    if (relayed.bytes < SIDE_BYTES) return
    const [callers, agents] = [concatBytes(relayed.caller), concatBytes(relayed.agent)]
    const whole = relayed.bytes - (relayed.bytes % SIDE_BYTES)
    relayed.caller = [callers.subarray(whole)]
    relayed.agent = [agents.subarray(whole)]
    relayed.bytes -= whole
    for (let at = 0; at < whole; at += SIDE_BYTES)
      this.#send(listenerId, relayed, callers.subarray(at, at + SIDE_BYTES), agents.subarray(at, at + SIDE_BYTES))
  }

  #send(listenerId: string, relayed: Relayed, caller: Uint8Array, agent: Uint8Array): void {
    if (relayed.unsent >= MAX_UNSENT) {
      this.end(listenerId)
      this.messages.tell(relayed.to, { tell: 'ended', listenerId }).catch(unsent(this.log))
      return
    }
    relayed.unsent++
    const audio = Buffer.concat([caller, agent]).toString('base64')
    this.messages
      .tell(relayed.to, { tell: 'audio', listenerId, audio })
      .catch((error: unknown) => {
        this.end(listenerId)
        unsent(this.log)(error)
      })
      .finally(() => relayed.unsent--)
  }

  #dropGone(): void {
    const now = performance.now()
    for (const [id, { seenAt }] of this.#relayed) if (now - seenAt > GONE_MS) this.end(id)
  }
}

type Remote = { serverId: string; listener: CallListener; heardAt: number }

/** Listeners of this process to calls of other processes. */
export class RemoteListeners {
  readonly #remote = new Map<string, Remote>()
  readonly #timer: Timer

  constructor(
    private readonly messages: ProcessMessages,
    private readonly log: Logger,
  ) {
    this.#timer = setInterval(() => this.#keepAll(), KEEP_MS)
    this.#timer.unref()
  }

  /** @returns the id under which the other process passes audio on, and what ends it */
  add(serverId: string, listener: CallListener): { listenerId: string; leave(): void } {
    const listenerId = newId()
    this.#remote.set(listenerId, { serverId, listener, heardAt: performance.now() })
    return {
      listenerId,
      leave: () => {
        if (!this.#remote.delete(listenerId)) return
        // Without it the other process would stop by itself.
        this.messages.ask(serverId, { ask: 'leave', listenerId }, KEEP_MS).catch(unsent(this.log))
      },
    }
  }

  /** What the process of a call sent. */
  take(body: unknown): void {
    const read = sent.safeParse(body)
    if (!read.success) return
    const remote = this.#remote.get(read.data.listenerId)
    if (!remote) return
    if (read.data.tell === 'ended') {
      this.#end(read.data.listenerId, remote)
      return
    }
    remote.heardAt = performance.now()
    const both = Buffer.from(read.data.audio, 'base64')
    remote.listener.hear(both.subarray(0, both.length / 2), both.subarray(both.length / 2))
  }

  close(): void {
    clearInterval(this.#timer)
    for (const [id, remote] of this.#remote) this.#end(id, remote)
  }

  #keepAll(): void {
    const now = performance.now()
    for (const [id, remote] of this.#remote) {
      if (now - remote.heardAt > SILENT_MS) this.#end(id, remote)
      else this.messages.ask(remote.serverId, { ask: 'keep', listenerId: id }, KEEP_MS).catch(unsent(this.log))
    }
  }

  #end(id: string, { listener }: Remote): void {
    this.#remote.delete(id)
    listener.end()
  }
}
