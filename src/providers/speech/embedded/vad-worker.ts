import { loadSilero } from '../../../audio/vad/silero.ts'
import { type SpeechMark, TurnDetector } from '../../../audio/vad/turn-detector.ts'
import { errorMessage } from '../../../lib/errors.ts'

/** A detector thread: one model, a turn detector for every line. */
export type VadRequest =
  | { type: 'open'; line: number; endOfTurnMs: number }
  | { type: 'listen'; line: number; endOfTurnMs: number }
  | { type: 'close'; line: number }
  | { type: 'count'; id: number }
  /** Frames of any lines, in order: `lengths[i]` bytes of `audio` belong to `lines[i]` at `times[i]`. */
  | { type: 'audio'; lines: number[]; times: number[]; lengths: number[]; audio: Uint8Array }
export type VadReply =
  | { type: 'opened'; line: number }
  | { type: 'marks'; line: number; marks: SpeechMark[] }
  | { type: 'count'; id: number; lines: number }
  | { type: 'failed'; message: string }

const model = loadSilero()
const lines = new Map<number, TurnDetector>()

self.onmessage = async (message: MessageEvent<VadRequest>) => {
  try {
    await handle(message.data)
  } catch (error) {
    reply({ type: 'failed', message: errorMessage(error) })
  }
}

async function handle(request: VadRequest): Promise<void> {
  // Awaited for every message, so that none overtakes the first ones while the model loads.
  const silero = await model
  if (request.type === 'audio') listen(request)
  else if (request.type === 'listen') lines.get(request.line)?.setEndOfTurn(request.endOfTurnMs)
  else if (request.type === 'close') lines.delete(request.line)
  else if (request.type === 'count') reply({ type: 'count', id: request.id, lines: lines.size })
  else {
    lines.set(request.line, new TurnDetector(silero.stream(), { endOfTurnMs: request.endOfTurnMs }))
    reply({ type: 'opened', line: request.line })
  }
}

function listen({ lines: ids, times, lengths, audio }: Extract<VadRequest, { type: 'audio' }>): void {
  let offset = 0
  ids.forEach((line, i) => {
    const length = lengths[i] ?? 0
    const marks = lines.get(line)?.push(audio.subarray(offset, offset + length), times[i] ?? 0) ?? []
    offset += length
    if (marks.length > 0) reply({ type: 'marks', line, marks })
  })
}

function reply(message: VadReply): void {
  self.postMessage(message)
}
