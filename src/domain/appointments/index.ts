export {
  appointmentFilters,
  appointmentView,
  bookAppointment,
  cancelAppointment,
  confirmAppointment,
  listAppointments,
} from './book-appointment.ts'
export {
  type BusinessHours,
  businessHours,
  DEFAULT_HOURS,
  hoursOf,
  instantOf,
  isOpen,
  possibleStarts,
  wallClock,
  weekOf,
} from './hours.ts'
