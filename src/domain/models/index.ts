export { createModelLedger } from './ledger.ts'
export {
  changeModelSettings,
  getModelSettings,
  modelChoiceOf,
  modelSettingsChanges,
  modelSettingsView,
} from './settings.ts'
export {
  failingModels,
  listModelUses,
  modelBudget,
  modelBudgetView,
  modelMonthView,
  modelSubjectView,
  modelUsesByMonth,
  modelUsesOf,
  modelUseView,
} from './usage.ts'
