//! The drivers, one file or folder per kind. A driver knows AWS (or another outside) and the seam, never another driver.
