export { bookAppointment, cancelAppointment, confirmAppointment } from './book-appointment.ts'
export {
  appointmentMove,
  createAppointment,
  moveAppointment,
  newAppointment,
  restoreAppointment,
} from './change-appointment.ts'
export {
  type BusinessHours,
  businessHours,
  DEFAULT_HOURS,
  hoursOf,
  instantOf,
  isOpen,
  lastClosing,
  possibleStarts,
  wallClock,
  weekOf,
} from './hours.ts'
export { appointmentFilters, appointmentView, getAppointment, listAppointments } from './queries.ts'
