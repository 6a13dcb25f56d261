import type { BusinessContext } from '../context.ts'
import type { AgentReply } from './record.ts'
import type { Situation } from './situation.ts'

/** Makes an answer, by rules or by a model. Its tools may write; what it says is sent by whoever asked, once. */
export type Respond = (
  ctx: BusinessContext,
  situation: Situation,
  signal: AbortSignal,
  now: Date,
) => Promise<AgentReply>
