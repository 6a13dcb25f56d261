export const usage = {
  intro:
    'What the business used. The cost is the speech engine’s, as it reports its use; telephone and WhatsApp fees are the carrier’s.',
  month: 'Month',
  calls: 'Calls',
  minutes: 'Minutes',
  messagesIn: 'Messages received',
  messagesOut: 'Messages sent',
  cost: 'Speech engine',
} as const
