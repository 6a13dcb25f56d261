import { z } from 'zod'
import { AppError, errorMessage } from '../../lib/errors.ts'
import type { TemplateSource } from '../../providers/whatsapp/port.ts'
import type { BusinessContext } from '../context.ts'

export const templateView = z.object({
  contentSid: z.string(),
  name: z.string(),
  language: z.string(),
  /** With its variables as `{{1}}`. */
  text: z.string(),
  variables: z.array(z.string()),
})

/** The approved templates of the Twilio account; none without one. @throws AppError `templates_unavailable` */
export async function listTemplates(ctx: BusinessContext, source: TemplateSource | null) {
  if (!source) return []
  try {
    const templates = await source.listTemplates()
    return templates.filter(({ approved }) => approved).map(({ approved: _, ...template }) => template)
  } catch (error) {
    ctx.log.warn({ error: errorMessage(error) }, 'templates not read')
    throw new AppError('unavailable', 'templates_unavailable', 'Twilio did not answer with its templates. Try again.', {
      cause: error,
    })
  }
}
