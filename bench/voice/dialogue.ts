/**
 * What a Realtime engine says in a call: two answers and an interruption every 13 s. Events as in OpenAI's Realtime API
 * reference (server events), their audio in pieces of 20 ms in real time.
 */
export const CYCLE_MS = 13_000

type Step = { atMs: number; run: (dialogue: Dialogue) => void }

const STEPS: readonly Step[] = [
  { atMs: 0, run: (dialogue) => dialogue.callerBegins() },
  { atMs: 1_500, run: (dialogue) => dialogue.callerEnds() },
  { atMs: 1_700, run: (dialogue) => dialogue.transcribed('I would like to sell my apartment in Haifa.') },
  { atMs: 2_000, run: (dialogue) => dialogue.answerBegins('Of course. How many rooms does it have?') },
  { atMs: 5_000, run: (dialogue) => dialogue.answerEnds() },
  { atMs: 6_000, run: (dialogue) => dialogue.callerBegins() },
  { atMs: 7_500, run: (dialogue) => dialogue.callerEnds() },
  { atMs: 7_700, run: (dialogue) => dialogue.transcribed('Three and a half, on the second floor.') },
  // The caller speaks into it at the beginning of the next round.
  { atMs: 8_000, run: (dialogue) => dialogue.answerBegins('Thank you. An agent will call you back about it.') },
]

type Answer = { response: string; item: string; words: string }

export class Dialogue {
  /** The item that is being spoken; null while the engine is silent. */
  #answer: Answer | null = null
  #turn = ''
  #number = 0
  #step = 0
  #startedAt: number

  /**
   * @param send writes an event to the product
   * @param heardMs audio that came so far, on the clock that the API's times are on
   */
  constructor(
    private readonly send: (event: Record<string, unknown>) => void,
    private readonly heardMs: () => number,
    startsAt: number,
  ) {
    this.#startedAt = startsAt
  }

  get item(): string | null {
    return this.#answer?.item ?? null
  }

  /** Does what is due. */
  advance(now: number): void {
    for (;;) {
      const step = STEPS[this.#step]
      if (!step) {
        this.#step = 0
        this.#startedAt += CYCLE_MS
        continue
      }
      if (now < this.#startedAt + step.atMs) return
      this.#step++
      step.run(this)
    }
  }

  /** What the product asks for; the rest is its bookkeeping. */
  asked(event: { type?: unknown; item_id?: unknown; audio_end_ms?: unknown }): void {
    if (event.type === 'response.cancel') this.#end('cancelled')
    if (event.type === 'conversation.item.truncate')
      this.#say('conversation.item.truncated', {
        item_id: event.item_id,
        content_index: 0,
        audio_end_ms: event.audio_end_ms,
      })
  }

  callerBegins(): void {
    this.#turn = `item_user_${++this.#number}`
    this.#say('input_audio_buffer.speech_started', { audio_start_ms: this.heardMs(), item_id: this.#turn })
  }

  callerEnds(): void {
    const item = { id: this.#turn, object: 'realtime.item', type: 'message', role: 'user', content: [] }
    this.#say('input_audio_buffer.speech_stopped', { audio_end_ms: this.heardMs(), item_id: this.#turn })
    this.#say('input_audio_buffer.committed', { previous_item_id: null, item_id: this.#turn })
    this.#say('conversation.item.added', { previous_item_id: null, item })
  }

  transcribed(transcript: string): void {
    const usage = { type: 'duration', seconds: 2 }
    this.#say('conversation.item.input_audio_transcription.completed', {
      item_id: this.#turn,
      content_index: 0,
      transcript,
      usage,
    })
  }

  answerBegins(words: string): void {
    const number = ++this.#number
    this.#answer = { response: `resp_${number}`, item: `item_${number}`, words }
    this.#say('response.created', {
      response: { id: this.#answer.response, object: 'realtime.response', status: 'in_progress' },
    })
    this.#say('response.output_item.added', {
      response_id: this.#answer.response,
      output_index: 0,
      item: this.#item('in_progress'),
    })
  }

  answerEnds(): void {
    this.#end('completed')
  }

  #item(status: string) {
    return { id: this.#answer?.item, object: 'realtime.item', type: 'message', role: 'assistant', status, content: [] }
  }

  #end(status: 'completed' | 'cancelled'): void {
    const answer = this.#answer
    if (!answer) return
    const place = { response_id: answer.response, item_id: answer.item, output_index: 0, content_index: 0 }
    this.#say('response.output_audio.done', place)
    this.#say('response.output_audio_transcript.done', { ...place, transcript: answer.words })
    this.#say('response.output_item.done', {
      response_id: answer.response,
      output_index: 0,
      item: this.#item(status === 'completed' ? 'completed' : 'incomplete'),
    })
    this.#answer = null
    const details = status === 'cancelled' ? { type: 'cancelled', reason: 'client_cancelled' } : null
    const usage = { total_tokens: 200, input_tokens: 150, output_tokens: 50 }
    this.#say('response.done', {
      response: {
        id: answer.response,
        object: 'realtime.response',
        status,
        status_details: details,
        output: [],
        usage,
      },
    })
  }

  #say(type: string, fields: Record<string, unknown>): void {
    this.send({ type, event_id: `event_${++this.#number}`, ...fields })
  }
}

/** A piece of an answer's audio, with `@` where it belongs. */
export const pieceOf = (item: string): string =>
  `{"type":"response.output_audio.delta","event_id":"event_########","response_id":"resp_1","item_id":"${item}","output_index":0,"content_index":0,"delta":"@"}`
