staff-title = Arbetsyta
leader-title = Ledning
staff-welcome = Hej { $name }
session-idle = Du loggas ut efter 15 minuter utan aktivitet, och alltid efter 12 timmar.
