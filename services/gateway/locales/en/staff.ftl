staff-title = Workspace
leader-title = Leadership
staff-welcome = Hello { $name }
session-idle = You are signed out after 15 minutes without activity, and always after 12 hours.
