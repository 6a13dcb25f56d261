import { Hono } from 'hono'
import { z } from 'zod'
import { writeWavMulaw } from '../audio/wav.ts'
import { AppError } from '../lib/errors.ts'
import type { PromptName, Receptionist } from '../media/reception.ts'

const languages = z.enum(['he', 'en'])

const NAMES: Record<string, PromptName> = {
  'voicemail.wav': 'voicemail',
  'thanks.wav': 'thanks',
  'unclaimed.wav': 'unclaimed',
  'whisper.wav': 'whisper',
}

/** The sentences that the carrier plays: `/prompts/<business or default>/<language>/<name>.wav`. */
export function createPrompts(reception: Pick<Receptionist, 'prompt'>): Hono {
  const app = new Hono()
  app.get('/:business/:language/:file', async (c) => {
    const name = NAMES[c.req.param('file')]
    const language = languages.safeParse(c.req.param('language')).data
    if (!name || !language)
      throw new AppError(
        'not_found',
        'prompt_not_found',
        'There is no prompt at this address. Check its language and name.',
      )
    const audio = await reception.prompt(c.req.param('business'), language, name)
    return new Response(writeWavMulaw(audio), {
      headers: { 'Content-Type': 'audio/wav', 'Cache-Control': 'public, max-age=60' },
    })
  })
  return app
}
