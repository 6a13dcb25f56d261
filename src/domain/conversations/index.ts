export { ALERT_KEY, hideForAlerts, isContactShownSql, showConversation } from './alerts-only.ts'
export {
  assignConversation,
  closeConversation,
  markConversation,
  reopenConversation,
  snoozeConversation,
  wakeConversations,
} from './change-conversation.ts'
export { openConversation } from './open-conversation.ts'
export {
  conversationFilters,
  conversationView,
  getConversation,
  listConversations,
} from './queries.ts'
