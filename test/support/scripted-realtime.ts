import { z } from 'zod'
import { eventually } from './wait.ts'

type Message = { type: string } & Record<string, unknown>

/** A Realtime API of one session that only says what the test tells it to, in that order. */
export function startScriptedRealtime() {
  const received: Message[] = []
  const opened = Promise.withResolvers<(message: Message) => void>()
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request, self) => (self.upgrade(request) ? undefined : new Response(null, { status: 400 })),
    websocket: {
      open: (socket) => opened.resolve((message) => void socket.send(JSON.stringify(message))),
      message(socket, text) {
        const message: Message = JSON.parse(String(text))
        if (message.type === 'input_audio_buffer.append') return
        received.push(message)
        if (message.type === 'session.update') socket.send('{"type":"session.updated"}')
      },
    },
  })
  const tell = async (...messages: Message[]) => {
    const send = await opened.promise
    for (const message of messages) send(message)
  }
  return {
    url: `ws://127.0.0.1:${server.port}/v1/realtime`,
    /** All client events but audio. */
    received,
    tell,
    begin: (id: string) => tell({ type: 'response.created', response: { id } }),
    done: (id: string, fields: Record<string, unknown> = {}) =>
      tell({ type: 'response.done', response: { id, status: 'cancelled', output: [], ...fields } }),
    /** Refuses a response since another one is active. */
    refuse: () =>
      tell({
        type: 'error',
        error: { type: 'invalid_request_error', code: 'conversation_already_has_active_response' },
      }),
    callTool: (responseId: string, callId: string) =>
      tell({
        type: 'response.function_call_arguments.done',
        ...{ response_id: responseId, call_id: callId, name: 'lookup', arguments: '{}' },
      }),
    turnStarts: (id: string) => tell({ type: 'input_audio_buffer.speech_started', audio_start_ms: 0, item_id: id }),
    turnEnds: (id: string) => tell({ type: 'input_audio_buffer.speech_stopped', audio_end_ms: 900, item_id: id }),
    /** Waits until the client has sent so many requests for responses and cancellations in all. */
    async requests(count: number): Promise<string[]> {
      const requests = () => received.flatMap(describe)
      await eventually(() => requests().length >= count, `${count} requests, so far ${JSON.stringify(requests())}`)
      return requests()
    },
    close: () => server.stop(true),
  }
}

/** `answer`, `say <text>` or `cancel <id>`; nothing for another event. */
function describe(message: Message): string[] {
  if (message.type === 'response.cancel') return [`cancel ${String(message.response_id)}`]
  if (message.type !== 'response.create') return []
  const given = z.object({ instructions: z.string() }).optional().parse(message.response)
  return [given ? `say ${/"(.*)"$/.exec(given.instructions)?.[1] ?? given.instructions}` : 'answer']
}
