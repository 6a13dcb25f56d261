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
  /** The names of the variables, in order. */
  variables: z.array(z.string()),
})

/**
 * The templates that WhatsApp approved for the business's Twilio account; none where it has no account.
 * @throws AppError `templates_unavailable` when Twilio does not answer
 */
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
