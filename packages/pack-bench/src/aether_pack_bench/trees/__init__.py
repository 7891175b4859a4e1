"""Generate source trees and walk them."""
