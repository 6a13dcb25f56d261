import { z } from 'zod'
import { nameText } from '../../lib/text.ts'
import type { EngineTool } from '../../providers/speech/port.ts'
import { appointmentTools } from '../appointments/index.ts'
import { catalogueQuery } from './catalogue-query.ts'

const short = z.string().trim().min(1).max(200)
const long = z.string().trim().min(1).max(2_000)

export const callTools = {
  save_lead: {
    description:
      'Keep what the caller wants. Call it as soon as you know the name or the inquiry, and again when you learn more.',
    args: z.object({
      name: nameText(200).optional(),
      inquiry: long.optional(),
      callback_time: short.optional(),
      area: short.optional(),
      budget: short.optional(),
    }),
  },
  update_contact: {
    description: 'Correct the name of the caller in the address book, when the caller gives or corrects it.',
    args: z.object({ name: nameText(200) }),
  },
  ...appointmentTools,
  lookup_business_info: {
    description: 'Look up prices, addresses, opening hours and other facts of the business. Never invent them.',
    args: z.object({ query: short }),
  },
  search_catalogue: {
    description:
      'Search what the business sells, rents or offers one by one, such as apartments, cars or products. Name only items that this answered.',
    args: catalogueQuery,
  },
  send_whatsapp: {
    description: 'Send the caller a WhatsApp message, for example an address or a link that the caller asked for.',
    args: z.object({ text: z.string().trim().min(1).max(1_000) }),
  },
  take_message: {
    description: 'Take a message for the business, in the caller’s words.',
    args: z.object({ message: long, callback_time: short.optional() }),
  },
  transfer_to_human: {
    description: 'Hand the call to a person, when the caller asks for one. Do not announce it; that is done for you.',
    args: z.object({ reason: short.optional() }),
  },
  end_call: {
    description: 'End the call, after you have said goodbye in the same answer.',
    args: z.object({ reason: short.optional() }),
  },
} as const satisfies Record<string, { description: string; args: z.ZodType }>
export type CallToolName = keyof typeof callTools

export function engineTools(without: readonly CallToolName[] = []): EngineTool[] {
  return Object.entries(callTools)
    .filter(([name]) => !without.some((each) => each === name))
    .map(([name, { description, args }]) => {
      const { $schema: _, ...parameters } = z.toJSONSchema(args, { io: 'input' })
      return { name, description, parameters }
    })
}
