import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { readAnswer } from '../answers.ts'
import type { TextModel } from './port.ts'

const TIMEOUT_MS = 60_000

const completion = z.object({ choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1) })

/** A model behind an OpenAI-compatible chat endpoint. @param options.baseUrl such as `https://api.openai.com/v1` */
export function createOpenAiModel(options: { baseUrl: string; apiKey: string; model: string }): TextModel {
  async function ask(path: string, body?: string): Promise<Response> {
    let response: Response
    try {
      response = await fetch(options.baseUrl + path, {
        headers: {
          authorization: `Bearer ${options.apiKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { method: 'POST', body }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
    } catch (cause) {
      throw new AppError('unavailable', 'model_unreachable', 'The model could not be reached.', { cause })
    }
    if (response.ok) return response
    await response.body?.cancel()
    throw new AppError('unavailable', 'model_refused', `The model answered ${response.status}.`)
  }

  return {
    name: options.model,
    async check() {
      await (await ask('/models')).body?.cancel()
    },
    async askForJson({ system, user }) {
      const response = await ask(
        '/chat/completions',
        JSON.stringify({
          model: options.model,
          messages: [
            { role: 'system', content: system },
            { role: 'user', content: user },
          ],
          response_format: { type: 'json_object' },
        }),
      )
      const { choices } = await readAnswer(response, completion, 'The model', 'model_garbled')
      try {
        return JSON.parse(choices[0]?.message.content ?? '')
      } catch (cause) {
        throw new AppError('unavailable', 'model_garbled', 'The model did not answer with JSON.', { cause })
      }
    },
  }
}
