import type { CallToolName } from './tools.ts'

export type ToolLimit = {
  /** How often a call's model may try. */
  attempts: number
  /** How often it may succeed in a call, where that is another number. */
  perCall?: number
  /** The same for one caller within a day, over all their calls. */
  perDay?: number
}

/** What a caller can make a model do: every tool has an entry. */
export const toolLimits: Record<CallToolName, ToolLimit> = {
  save_lead: { attempts: 30 },
  update_contact: { attempts: 6 },
  find_times: { attempts: 20 },
  book_appointment: { attempts: 20, perCall: 2, perDay: 3 },
  my_appointments: { attempts: 6 },
  reschedule_appointment: { attempts: 6 },
  cancel_appointment: { attempts: 6 },
  join_waiting_list: { attempts: 4 },
  lookup_business_info: { attempts: 40 },
  search_catalogue: { attempts: 40 },
  send_whatsapp: { attempts: 12, perCall: 3, perDay: 5 },
  take_message: { attempts: 6 },
  transfer_to_human: { attempts: 3 },
  end_call: { attempts: 10 },
}

export const UNKNOWN_TOOL_LIMIT: ToolLimit = { attempts: 5 }

export function toolLimitOf(name: string): ToolLimit {
  return isTool(name) ? toolLimits[name] : UNKNOWN_TOOL_LIMIT
}

function isTool(name: string): name is CallToolName {
  return Object.hasOwn(toolLimits, name)
}
