export const SANDBOX_PAYMENTS = {
  clientId: 'sandbox-client',
  webhookId: 'WH-SANDBOX',
  terminal: 'sandbox',
  appKey: 'sandbox-app-key',
} as const
