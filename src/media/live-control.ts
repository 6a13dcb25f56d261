import { z } from 'zod'
import { auditLiveAction, callNotLive, findLiveCall, type LiveAction, type LiveCall } from '../domain/calls/index.ts'
import type { BusinessContext } from '../domain/context.ts'
import type { ProcessMessages } from '../domain/system/index.ts'
import { AppError } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { CallCommand, CommandProblem } from './call-commands.ts'
import type { CallListener } from './listen-tap.ts'
import type { MediaSession } from './media-session.ts'
import { ListenRelay, RemoteListeners } from './remote-listeners.ts'

/** Reaches every live call of the installation, whichever of its servers has the call's socket. */
export type LiveControl = {
  /** @throws AppError `call_not_found`, `call_not_live`, and why the call did not follow the command */
  command(ctx: BusinessContext, id: string, command: CallCommand): Promise<void>
  /**
   * Passes both sides of a call on to a listener until the returned function is called or the call ends. It is in the audit
   * log before anything is heard.
   * @throws AppError `call_not_found`, `call_not_live`, `too_many_listeners`
   */
  listen(ctx: BusinessContext, id: string, listener: CallListener): Promise<() => void>
  stop(): void
}

/** A transfer is announced first, and the carrier has eight seconds to answer. */
const TIMEOUTS_MS = { end: 4_000, whisper: 4_000, transfer: 20_000 } as const
const LISTEN_TIMEOUT_MS = 4_000
/** Listeners of the calls of one process. */
const MAX_LISTENERS = 50

const ACTIONS = { end: 'call.hang_up', whisper: 'call.whisper', transfer: 'call.take_over' } as const satisfies Record<
  CallCommand['kind'],
  LiveAction
>

const question = z.discriminatedUnion('ask', [
  z.object({
    ask: z.literal('command'),
    callSid: z.string(),
    command: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('end') }),
      z.object({ kind: z.literal('transfer'), number: z.string().nullable() }),
      z.object({ kind: z.literal('whisper'), text: z.string() }),
    ]),
  }),
  z.object({ ask: z.literal('listen'), callSid: z.string(), listenerId: z.string() }),
  z.object({ ask: z.literal('keep'), listenerId: z.string() }),
  z.object({ ask: z.literal('leave'), listenerId: z.string() }),
])

export function createLiveControl(options: {
  messages: ProcessMessages
  sessionOf(callSid: string): MediaSession | null
  log: Logger
}): LiveControl {
  const { messages, sessionOf, log } = options
  const relay = new ListenRelay(messages, log)
  const remote = new RemoteListeners(messages, log)
  let local = 0

  function requireSession(callSid: string): MediaSession {
    const session = sessionOf(callSid)
    if (!session?.live) throw callNotLive()
    return session
  }

  function attach(callSid: string, listener: CallListener): () => void {
    if (local + relay.size >= MAX_LISTENERS)
      throw new AppError('rate_limited', 'too_many_listeners', 'Too many people listen to calls right now. Try later.')
    const leave = requireSession(callSid).listen(listener)
    if (!leave) throw callNotLive()
    return leave
  }

  function attachHere(callSid: string, listener: CallListener): () => void {
    let counted = true
    const uncount = () => {
      if (counted) local--
      counted = false
    }
    const leave = attach(callSid, {
      hear: (caller, agent) => listener.hear(caller, agent),
      end() {
        uncount()
        listener.end()
      },
    })
    local++
    return () => {
      uncount()
      leave()
    }
  }

  messages.onQuestion(async (body, from) => {
    const asked = question.parse(body)
    if (asked.ask === 'command') return { problem: await requireSession(asked.callSid).command(asked.command) }
    if (asked.ask === 'listen') relay.begin(asked.listenerId, from, (listener) => attach(asked.callSid, listener))
    else if (asked.ask === 'keep') return { here: relay.keep(asked.listenerId) }
    else relay.end(asked.listenerId)
    return {}
  })
  messages.onMessage((body) => remote.take(body))

  return {
    async command(ctx, id, command) {
      const call = await findLiveCall(ctx, id)
      await auditLiveAction(ctx, call, ACTIONS[command.kind])
      const timeoutMs = TIMEOUTS_MS[command.kind]
      const body = { ask: 'command', callSid: call.callSid, command }
      const { problem } = answerOf(await messages.ask(call.serverId, body, timeoutMs))
      if (problem) throw refusal(problem)
    },
    async listen(ctx, id, listener) {
      const call = await findLiveCall(ctx, id)
      await auditLiveAction(ctx, call, 'call.listen')
      if (call.serverId === messages.processId) return attachHere(call.callSid, listener)
      return await listenElsewhere(call, listener)
    },
    stop() {
      relay.close()
      remote.close()
    },
  }

  async function listenElsewhere(call: LiveCall, listener: CallListener): Promise<() => void> {
    const { listenerId, leave } = remote.add(call.serverId, listener)
    try {
      await messages.ask(call.serverId, { ask: 'listen', callSid: call.callSid, listenerId }, LISTEN_TIMEOUT_MS)
    } catch (error) {
      leave()
      throw error
    }
    return leave
  }
}

const answer = z.object({ problem: z.string().nullable() })
const answerOf = (body: unknown) => answer.parse(body)

const REFUSALS: Record<CommandProblem, string> = {
  not_live: 'The call is over, or the agent does not have it.',
  no_transfer_number: 'There is no number to transfer to. Enter one, or set one for the receptionist.',
  transfer_under_way: 'The call is being transferred or ended already.',
  transfer_failed: 'The carrier did not transfer the call. The agent goes on with it.',
  follows_script: 'This engine only follows its script and cannot take instructions. Take the call over instead.',
  engine_not_ready: 'The engine is just being connected. Try again in a moment.',
}

function refusal(problem: string): AppError {
  if (problem === 'not_live') return callNotLive()
  const known = Object.entries(REFUSALS).find(([code]) => code === problem)
  return new AppError('conflict', problem, known?.[1] ?? 'The call did not follow the command.')
}
