export { type AnswerDeps, answerConversation, giveUpAnswer } from './answer-conversation.ts'
export { type AppointmentCustomer, readCaller, runAppointmentTool } from './appointment-acts.ts'
export { type ChatTurn, openTestChat, type TestChat } from './chat.ts'
export { findUnbacked } from './guard.ts'
export { contactMemory, getContactMemory, readCallerMemory } from './memory.ts'
export { createRespond } from './model-agent.ts'
export type { Respond } from './respond.ts'
export { respondByRules } from './rules/respond-by-rules.ts'
export { agentRunFilters, agentRunView, listAgentRuns } from './runs.ts'
export {
  agentSettingsChange,
  agentSettingsView,
  ensureAgentOn,
  getAgentSettings,
  saveAgentSettings,
} from './settings.ts'
export {
  agentPause,
  agentStateView,
  answerNow,
  discardDraft,
  draftSend,
  getAgentState,
  pauseAgent,
  resumeAgent,
  sendDraft,
  turnAgentOff,
} from './states.ts'
export { NO_CUSTOMER, sayInTestChat, testChatInput, testChatView } from './test-chat.ts'
export { ASK_BY_TITLE } from './tools.ts'
export { noteTyping, type TypingWatch, watchTyping } from './typing.ts'
export { pruneAgentRuns, wakeAgent } from './wake.ts'
